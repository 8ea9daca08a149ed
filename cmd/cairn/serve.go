package main

import (
	"fmt"
	"net"
	"time"

	"github.com/cairn-itdr/cairn/internal/app"
)

type serveCommand struct {
	serving

	Components []string `enum:"api,worker" default:"api,worker" env:"CAIRN_COMPONENTS" help:"Which parts this process runs: api, worker. With PostgreSQL several processes may share them out; health and metrics are served by each."`

	Retention time.Duration `default:"9600h" env:"CAIRN_RETENTION" help:"Drop activity older than this, save what findings cite; 0 keeps all (default: 400 days)."`
}

// Run serves until the process is told to stop.
func (s *serveCommand) Run(c *cli, sys *system) error {
	cfg := c.config(sys)
	if err := s.apply(&cfg); err != nil {
		return err
	}
	cfg.Retention, cfg.Components = s.Retention, s.Components
	listener, err := (&net.ListenConfig{}).Listen(sys, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close() //nolint:errcheck // closed by serving already
	cfg.Listening = listener.Addr().String()
	a, err := app.Open(sys, cfg)
	if err != nil {
		return err
	}
	defer a.Close() //nolint:errcheck // the process ends
	sys.logger.Info("serving", "address", listener.Addr().String())
	err = a.Serve(sys, listener)
	sys.logger.Info("stopped")
	return err
}

type demoCommand struct {
	serving

	JSON bool `name:"json" help:"Print addresses and key as one JSON object."`
}

// Run runs the demo until the process is told to stop.
func (d *demoCommand) Run(c *cli, sys *system) error {
	cfg := c.config(sys)
	cfg.DataDir = c.DataDir // empty: a temporary folder
	cfg.DatabaseURL = ""    // always embedded
	if err := d.apply(&cfg); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(sys, "tcp", d.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w (another demo may be running; --listen 127.0.0.1:0 takes any free port)", err)
	}
	defer listener.Close() //nolint:errcheck // closed by serving already
	cfg.Listening = listener.Addr().String()
	err = app.Demo(sys, cfg, listener, func(s app.DemoStart) error {
		if d.JSON {
			return s.WriteJSON(sys.stdout)
		}
		return s.WriteText(sys.stdout)
	})
	sys.logger.Info("stopped")
	return err
}
