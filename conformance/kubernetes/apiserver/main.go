// A Kubernetes API server with an etcd of its own, both of the modules that their projects publish: one program, so that
// nothing has to be installed. Its command line is kube-apiserver's; etcd writes to $ETCD_DIRECTORY, and listens where
// $ETCD_CLIENTS and $ETCD_PEERS say.
package main

import (
	"fmt"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	if err := startEtcd(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}

func startEtcd() error {
	config := embed.NewConfig()
	config.Dir = os.Getenv("ETCD_DIRECTORY")
	config.LogLevel = "error"
	clients, err := url.Parse(os.Getenv("ETCD_CLIENTS"))
	if err != nil {
		return err
	}
	peers, err := url.Parse(os.Getenv("ETCD_PEERS"))
	if err != nil {
		return err
	}
	config.ListenClientUrls = []url.URL{*clients}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ListenPeerUrls = []url.URL{*peers}
	config.AdvertisePeerUrls = config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	<-server.Server.ReadyNotify()
	return nil
}
