"""The models themselves: baselines, peers and the network, each behind `hazecast.models.interface`."""
