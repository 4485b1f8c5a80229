"""What the pages show: frozen values built from the features, and nothing a template could misread."""
