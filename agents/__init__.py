"""Who decides: three roles, their briefs, their typed decisions and their reasoners. It acts on nothing."""
