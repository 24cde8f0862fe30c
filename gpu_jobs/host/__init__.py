"""The job host: one detached process per sandbox that forks a process per job. It never talks to Redis."""
