package chat_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/chat/chattest"
	"github.com/renkei-go/renkei/transport/chat/slack"
	"github.com/renkei-go/renkei/transport/chat/teams"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	workspace, err := chattest.StartSlack(ctx, chattest.SlackConfig{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = workspace.Close() }()
	workspace.AddUser("U123", "alice@example.com")
	channel, err := chattest.StartTeams(ctx, chattest.TeamsConfig{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = channel.Close() }()

	client := &http.Client{Timeout: 10 * time.Second} // in a server: one with a guard
	app, err := slack.New(slack.Config{Token: secret.NewString(workspace.Token), URL: workspace.URL, Client: client})
	if err != nil {
		panic(err)
	}
	hook, err := teams.New(teams.Config{URL: secret.NewString(channel.URL), Client: client})
	if err != nil {
		panic(err)
	}
	m := chat.Message{
		Email: "alice@example.com", For: "Alice", Title: "Interview moved", Text: "<!channel> now on Tuesday",
		Links: []chat.Link{{Title: "Open", URL: "https://ats.example.com/interviews/7"}},
	}
	for _, sender := range []chat.Sender{app, hook} {
		if err := sender.Post(ctx, m); err != nil {
			panic(err)
		}
	}
	direct := workspace.Messages()[0]
	fmt.Println(direct.Channel, direct.Title, direct.Body, len(direct.Mentions))
	shared := channel.Messages()[0]
	fmt.Println(shared.Texts, shared.Links, shared.Mentions)
	// Output:
	// DU123 Interview moved [<!channel> now on Tuesday Open (https://ats.example.com/interviews/7)] 0
	// [Interview moved → Alice <!channel> now on Tuesday] [Open (https://ats.example.com/interviews/7)] 0
}
