"""The agents that the chaos harness and the tests compare with: Faust as its users write it, at its defaults."""
