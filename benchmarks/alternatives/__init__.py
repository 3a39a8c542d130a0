"""What people use instead, each as a program of its own."""
