"""The six chapters of the story: short scripts that break something, show it, and mend it. Knows no screen."""
