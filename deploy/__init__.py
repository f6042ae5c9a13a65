"""Where it runs: deployments, automations, containers, example studies. Data, and no code."""
