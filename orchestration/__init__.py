"""When things run and in what order: sources, landing, models, gate and publish."""
