"""What `benchmarks.label_efficiency` is made of: pools of texts with answers, a learner, curves, a picture."""
