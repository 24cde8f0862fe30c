"""What runs in sandboxes: the job protocol, backends, the job host and the training code. It never talks to Redis."""
