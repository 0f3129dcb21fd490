"""What a network learns: targets, distillation, and the auxiliary head."""
