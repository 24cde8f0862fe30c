"""What every door calls: runs, deployments, models and notes. A door translates; these decide what may be done."""
