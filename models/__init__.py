"""The classifier: training, calibration, evaluation, inference, and the folders of model versions.

Texts come in, opinions (topic and sentiment with calibrated scores) go out of `inference.Classifier`; labelled
rows come in, checkpoints go out of `finetune`. Nothing here knows SQL or Kafka: which version is the champion,
and when to train, is decided elsewhere. Weights are safetensors, and no code of a checkpoint is ever run.
May import `core`. Importing this package loads no weights; importing most of its modules loads torch.
"""
