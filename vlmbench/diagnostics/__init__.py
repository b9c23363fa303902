"""What runs that asked otherwise say of a model and of a task, beside the plain run."""
