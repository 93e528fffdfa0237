"""Why an incident fired: evidence, worked out once and worked out again."""
