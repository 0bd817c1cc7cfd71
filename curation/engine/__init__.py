"""One function over many shards. An engine runs `function(job)` for every job and yields the results in the order of the jobs."""
