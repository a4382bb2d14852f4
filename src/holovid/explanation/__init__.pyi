from .agreement import agreement_of as agreement_of
from .agreement import randomised as randomised
from .agreement import sanity_check as sanity_check
from .explaining import explain as explain
from .explaining import methods_of as methods_of
from .explanation import Explanation as Explanation
from .measures import evaluate as evaluate
from .occlusion import occlude as occlude
from .perturbation import deletion as deletion
from .perturbation import insertion as insertion
from .pointing import pointing_in_space as pointing_in_space
from .pointing import pointing_in_time as pointing_in_time

__all__: list[str]
