package slack_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/chat/chattest"
	"github.com/renkei-go/renkei/transport/chat/slack"
)

func Example() {
	ctx := context.Background()
	workspace, err := chattest.StartSlack(ctx, chattest.SlackConfig{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = workspace.Close() }()
	workspace.AddUser("U123", "alice@example.com")

	app, err := slack.New(slack.Config{
		Token: secret.NewString(workspace.Token), URL: workspace.URL, Client: &http.Client{Timeout: 10 * time.Second},
	})
	if err != nil {
		panic(err)
	}
	if err := app.Post(ctx, chat.Message{Email: "alice@example.com", Title: "Please decide", Text: "Room <A> & B, see https://example.com/7."}); err != nil {
		panic(err)
	}
	m := workspace.Messages()[0]
	fmt.Println(m.Channel, m.Title)
	fmt.Println(m.Body[0])
	fmt.Println(app.Post(ctx, chat.Message{Email: "nobody@example.com", Text: "hello"}))
	// Output:
	// DU123 Please decide
	// Room <A> & B, see https://example.com/7.
	// unknown_chat_person: nobody is known there under this address, or the account is closed: users_not_found
}
