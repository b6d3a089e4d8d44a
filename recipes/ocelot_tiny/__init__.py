"""How the bundled encoder is made: drawn catalogue, photographs, samplers, evaluation sets."""
