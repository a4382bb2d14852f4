"""Several training runs in one process of several, as starting processes takes longer than training in them.

    torchrun --nproc_per_node 2 tests/support/distributed_runs.py RUNS.json

RUNS.json is a list of [script, arguments, variables of the environment]. accelerate shares models out (FSDP) on GPUs
only, and copies them on CPUs without a word; here it shares them out on CPUs too, where torch itself can.
"""

import json
import os
import sys
from pathlib import Path

from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType
from training_runs import script

plain_init, end = AcceleratorState.__init__, PartialState.destroy_process_group


def init_with_fsdp(self, *args, **options):
    plain_init(self, *args, **options)
    plugin = options.get("fsdp_plugin") or getattr(self, "fsdp_plugin", None)
    if plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, plugin


if __name__ == "__main__":
    AcceleratorState.__init__ = init_with_fsdp
    PartialState.destroy_process_group = lambda self, group=None: None  # which the plain loop does at its end
    for name, arguments, variables in json.loads(Path(sys.argv[1]).read_text()):
        os.environ.update(variables)
        script(name)(arguments)
        Accelerator().free_memory()
        AcceleratorState._reset_state()
    end(PartialState())
