"""How the demo model was made: a corpus that writes itself, a tokenizer, one training run on one GPU, an evaluation."""
