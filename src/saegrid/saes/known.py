"""Keys that other libraries write into the configs of SAEs and that change no number.

They were collected from the config classes of SAELens 1 to 6. A key that is missing here is refused
where a checkpoint is opened, so that a new one is read by somebody before it is passed over.
"""


def words(*texts: str) -> frozenset[str]:
    """The words of some texts."""
    return frozenset(word for text in texts for word in text.split())


SAE_LENS = words(
    # The model and its text; for a model's name and SAELens' version see `centring`.
    """
    model_name model_class_name model_kwargs hook_layer hook_point_layer hook_eval hook_point_eval
    hook_layer_out neuronpedia_id neuronpedia prepend_bos context_size seqpos_slice
    exclude_special_tokens sequence_separator_token disable_concat_sequences use_chat_formatting
    activations_mixing_fraction dataset_path dataset_trust_remote_code is_dataset_tokenized
    streaming use_cached_activations cached_activations_path new_cached_activations_path
    sae_lens_version sae_lens_training_version training_architecture training_architecture_details
    """,
    # The machine.
    """
    device dtype llm_device act_store_device seed autocast autocast_lm compile_llm compile_sae
    llm_compilation_mode sae_compilation_mode n_batches_in_buffer store_batch_size
    store_batch_size_prompts tokens_per_buffer prefetch_llm_batches
    """,
    # The training.
    """
    training_tokens total_training_tokens total_training_samples total_training_steps
    finetuning_tokens finetuning_method train_batch_size train_batch_size_tokens
    train_batch_size_samples adam_beta1 adam_beta2 lr lr_end lr_scheduler_name lr_warm_up_steps
    lr_decay_steps n_restart_cycles l1_coefficient l1_warm_up_steps lp_norm l0_coefficient
    l0_warm_up_steps target_l0 pre_act_loss_coefficient jumprelu_init_threshold jumprelu_bandwidth
    jumprelu_sparsity_loss_mode jumprelu_tanh_scale jumprelu_ste_to_input aux_loss_coefficient
    use_sparse_activations topk_threshold_lr matryoshka_widths use_matryoshka_aux_loss
    n_batches_for_norm_estimate mse_loss_normalization noise_scale normalize_sae_decoder
    scale_sparsity_penalty_by_decoder_norm use_ghost_grads expansion_factor b_dec_init_method
    decoder_orthogonal_init decoder_init_norm decoder_heuristic_init decoder_heuristic_init_norm
    init_encoder_as_decoder_transpose feature_sampling_window dead_feature_window
    dead_feature_threshold from_pretrained_path resume resume_from_checkpoint
    """,
    # What was logged and kept of it.
    """
    log_to_wandb log_activations_store_to_wandb log_optimizer_state_to_wandb wandb_project wandb_id
    wandb_entity wandb_log_frequency eval_every_n_wandb_logs run_name unique_id verbose
    eval_batch_size_prompts n_eval_batches n_eval_seqs n_checkpoints checkpoint_path output_path
    save_final_checkpoint log_weights_to_wandb logger
    """,
    # Our own trainings and exports.
    """
    recipe settings steps order_seed input_scale capture health exported_from
    """,
)
"""Keys of cfg.json, also of `metadata` in it."""

FROM_PRETRAINED = words(
    """
    center_unembed dtype torch_dtype device device_map n_devices move_to_device default_prepend_bos
    default_padding_side hf_model tokenizer revision checkpoint_index checkpoint_value
    first_n_layers cache_dir token local_files_only trust_remote_code low_cpu_mem_usage
    """
)
"""Keys of model_from_pretrained_kwargs that change no activation of a site, or name the model."""
