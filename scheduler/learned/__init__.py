"""What is learned from answers: lengths, prompt tokens, and how far predictions come true."""
