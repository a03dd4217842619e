package mail_test

import (
	"bytes"
	"context"
	"fmt"
	netmail "net/mail"

	"github.com/renkei-go/renkei/transport/mail"
	"github.com/renkei-go/renkei/transport/mail/mailtest"
)

func Example() {
	ctx := context.Background()
	server, err := mailtest.Start(ctx) // a real SMTP server, for this example
	if err != nil {
		panic(err)
	}
	defer func() { _ = server.Close() }()

	sender, err := mail.NewSMTP(mail.Config{URL: server.URL, From: "Renkei <renkei@example.com>"})
	if err != nil {
		panic(err)
	}
	err = sender.Send(ctx, mail.Message{
		To: []string{"Alice <alice@example.com>"}, Subject: "Design review", Text: "At ten.", MessageID: "0197@example.com",
	})
	if err != nil {
		panic(err)
	}
	got, err := netmail.ReadMessage(bytes.NewReader(server.Messages()[0].Data))
	if err != nil {
		panic(err)
	}
	fmt.Println(got.Header.Get("To"), got.Header.Get("Message-ID"))
	// Output: "Alice" <alice@example.com> <0197@example.com>
}
