"""Prints `bytes` bytes and emits `events` events."""

from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, int]:
    for number in range(job.args.get("events", 0)):
        job.emit("step", number=number)
    line = "x" * 1023
    for _ in range(job.args.get("bytes", 0) // 1024):
        print(line)  # noqa: T201
    return {"measured": job.measure(1.5, "ms", rows=3, interval=(1, 2))}  # type: ignore[dict-item]
