"""Model cards, one TOML file per network; installed as the package ``kerasviz.model_cards``."""
