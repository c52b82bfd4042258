"""What a cluster holds when it is handed over: its add-ons, the story, synthetic pods."""
