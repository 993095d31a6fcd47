"""Jets: tensors with derivatives, how torch functions find their rules, and power series of univariate functions."""
