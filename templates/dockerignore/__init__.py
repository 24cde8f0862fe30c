"""What of the workspace an image build may see."""
