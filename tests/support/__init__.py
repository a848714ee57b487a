"""What tests share: networks, servers, fixtures."""
