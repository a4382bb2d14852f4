"""Fine-tune a video model on a folder of clips by the recipe of a paper.

    holovid data synth clips --train 64 --val 16 --size 64 --frame-rate 8 --seconds 1
    python examples/train.py --model xvit --recipe small --data clips --target motion --output_dir run
    python examples/train.py --model ca2st --recipe small --data clips --target sound --output_dir run-ca2st

    # CAST as in its paper, with frozen experts; clips/train/<label>/*.mp4 and clips/val/<label>/*.mp4
    python examples/train.py --data clips --recipe cast-ssv2 --bf16 \\
        --experts space=openai/clip-vit-base-patch16 time=MCG-NJU/videomae-base

    python examples/train.py run.yaml --seed 1                       # arguments from a file; the rest overrides it
    python examples/train.py ... --resume_from_checkpoint true       # after it was stopped or killed

Arguments are those of `RunArguments` (run_arguments.py) and of transformers' TrainingArguments, whose defaults the
recipe gives. --activation_checkpointing trades time for memory, --torch_compile the other way round; --report_to
tensorboard (or trackio, from `pip install holovid[track]`) draws curves while it runs. In the output folder: the model
and its processor, checkpoints, training.png, all_results.json, and training.json for the model's card.

Several devices:

    torchrun --nproc_per_node 8 examples/train.py ...                                   # one machine, a copy on each
    accelerate launch --config_file examples/accelerate/ddp.yaml examples/train.py ...  # the same
    torchrun --nproc_per_node 8 examples/train.py ... --fsdp --fsdp_config examples/accelerate/fsdp2.json  # sharded

Not run by us, for want of such machines: several machines, and DeepSpeed (`pip install deepspeed`):

    torchrun --nnodes 2 --node_rank 0 --nproc_per_node 8 --master_addr HOST --master_port 29500 examples/train.py ...
    torchrun --nproc_per_node 8 examples/train.py ... --deepspeed examples/accelerate/deepspeed_zero2.json
"""

import sys

from holovid.commands.command_line import run_script
from holovid.training.run_options import check_run

IF_STOPPED = "the same command with --resume_from_checkpoint true goes on from the newest checkpoint"


def main(arguments: list[str]) -> None:
    check_run(arguments)  # paths, names and spelling, before torch is imported

    from transformers.utils import logging

    from holovid.preparation import prepare
    from holovid.records import TRAINING, write_record
    from holovid.training import VideoTrainer
    from holovid.training.arguments import parse_arguments
    from holovid.training.averaging import AVERAGE_NAME
    from holovid.training.checkpoints import resume_point
    from holovid.training.record import record_of_trainer

    logging.disable_progress_bar()  # of writing files; that of training stays
    run, args = parse_arguments(arguments)
    checkpoint = resume_point(args, files=[] if run.ema_decay is None else [AVERAGE_NAME])
    parts = prepare(run, args.seed, args.data_seed, validate=args.eval_strategy != "no")
    trainer = VideoTrainer(
        parts.model,
        args,
        recipe=parts.recipe,
        class_weights=parts.class_weights,
        ema_decay=run.ema_decay,
        train_dataset=parts.train,
        eval_dataset=parts.validation,
        processing_class=parts.processor,
    )
    if trainer.is_world_process_zero():
        print(parts.summary(args))
    result = trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    trainer.save_model()  # weights, configuration and processor
    trainer.save_metrics("train", result.metrics | {"train_broken_clips": len(parts.train.broken())})
    if trainer.is_world_process_zero():
        write_record(TRAINING, args.output_dir, record_of_trainer(run, parts, args, result, ["python", *sys.argv]))
    if parts.validation is not None:
        metrics = trainer.evaluate()
        trainer.log_metrics("eval", metrics)
        trainer.save_metrics("eval", metrics | {"eval_broken_clips": len(parts.validation.broken())})


if __name__ == "__main__":
    sys.exit(run_script("train.py", lambda: main(sys.argv[1:]), IF_STOPPED))
