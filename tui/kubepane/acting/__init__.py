"""What an operator does to a cluster: each verb as a plan that is shown, confirmed, carried out and watched to its end."""
