"""Controllers: each brings the cluster closer to what one kind of object asks for."""
