"""What every strategy's flow runs on."""
