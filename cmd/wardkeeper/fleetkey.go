package main

import (
	"fmt"
	"log/slog"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
)

// openFleetKey reads the keys that the settings name; nil if they name none.
func openFleetKey(s *config.Settings, logger *slog.Logger) (*fleetkey.Keys, error) {
	keys, err := fleetkey.Open(s.FleetKeyFile, logger)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", s.Spelling("fleet-key-file"), err)
	case keys == nil:
		return nil, nil
	}
	if callers.WorldReadable(s.FleetKeyFile) {
		logger.Warn("every user of this machine can read the fleet key", "path", s.FleetKeyFile)
	}
	logger.Info("the fleet key is in force, the first one signs", "keys", keys.Status().Keys)
	return keys, nil
}
