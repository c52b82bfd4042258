"""What can be typed after `kubepane`, and which code it calls; nothing heavy is imported before it is needed."""
