"""Which files of ours lie beside a saved model and its processor: once, for all tests that look into saved folders."""

SHARED_BY_MODELS = {
    "class_names.py", "configuration_common.py", "field_checks.py", "linear.py", "model_inputs.py",
    "modeling_common.py", "reachable.py", "suggestions.py", "tasks.py", "weight_files.py",
}  # fmt: skip
XVIT_SOURCE = SHARED_BY_MODELS | {
    "configuration_xvit.py", "frames_in_patches.py", "image_vit.py", "modeling_xvit.py", "vit_parts.py",
}  # fmt: skip
CA2ST_SOURCE = SHARED_BY_MODELS | {
    "adapters_ca2st.py", "audio_positions.py", "axis_attention.py", "configuration_ca2st.py", "experts_ca2st.py",
    "layers_ca2st.py", "modeling_ca2st.py",
}  # fmt: skip
TIME_SFORMER_SOURCE = SHARED_BY_MODELS | {
    "axis_attention.py", "configuration_time_sformer.py", "frames_in_patches.py", "image_vit.py",
    "modeling_time_sformer.py", "recomputing.py", "timesformer_of_transformers.py", "vit_parts.py",
}  # fmt: skip
STARVQA_SOURCE = TIME_SFORMER_SOURCE | {"configuration_starvqa.py", "label_codec.py", "modeling_starvqa.py"}
VIDEO_SWIN_SOURCE = SHARED_BY_MODELS | {
    "configuration_video_swin.py", "frames_in_patches.py", "image_vit.py", "inflation_video_swin.py",
    "layers_video_swin.py", "modeling_video_swin.py", "vit_parts.py",
}  # fmt: skip
AVT_SOURCE = SHARED_BY_MODELS | {
    "configuration_avt.py", "encoder_configs.py", "frames_in_patches.py", "inner_models.py", "layers_avt.py",
    "modeling_avt.py",
}  # fmt: skip
WHERE_WHEN_SOURCE = SHARED_BY_MODELS | {
    "audio_positions.py", "axis_attention.py", "configuration_where_when.py", "encoder_configs.py",
    "frames_in_patches.py", "inner_models.py", "layers_where_when.py", "modeling_where_when.py", "vit_parts.py",
}  # fmt: skip
SOURCE_OF_FAMILY = {
    "xvit": XVIT_SOURCE,
    "ca2st": CA2ST_SOURCE,
    "time_sformer": TIME_SFORMER_SOURCE,
    "starvqa": STARVQA_SOURCE,
    "video_swin": VIDEO_SWIN_SOURCE,
    "avt": AVT_SOURCE,
    "where_when": WHERE_WHEN_SOURCE,
}
VIDEO_PROCESSOR_SOURCE = {
    "audio_decoding.py", "clip_features.py", "clip_reading.py", "clip_sound.py", "clock_jumps.py",
    "configuration_common.py", "cropping.py", "decoders.py", "feature_extraction_holovid.py", "field_checks.py",
    "frame_sampling.py", "given_frames.py", "given_sounds.py",
    "media_containers.py", "media_source.py", "mp4_boxes.py", "options.py", "packet_index.py", "picture_decoding.py",
    "picture_stream.py", "suggestions.py", "torchcodec_decoding.py", "video_decoding.py", "video_parts.py",
    "video_processing_holovid.py",
}  # fmt: skip
PROCESSOR_SOURCE = VIDEO_PROCESSOR_SOURCE | {"processing_holovid.py", "source_preprocessing.py"}
