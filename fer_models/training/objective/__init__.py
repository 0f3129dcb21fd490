"""Training objective: targets, distillation and the auxiliary head."""
