package activity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
)

func TestNetworkMicrosoft(t *testing.T) {
	t.Parallel()
	require.True(t, activity.Network{Kind: activity.NetworkMicrosoft}.Microsoft(), "a service range without a number")
	require.True(t, activity.Network{Number: 8075, Kind: activity.NetworkHosting}.Microsoft(), "a rented machine on Azure")
	require.False(t, activity.Network{Number: 16509, Kind: activity.NetworkHosting}.Microsoft())
	require.False(t, activity.Network{}.Microsoft())
}
