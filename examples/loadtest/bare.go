package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
)

// bareRow is the whole schema of the shortest possible program.
type bareRow struct {
	ID   int64
	Data string
}

const bareBatch = 500

// bare does the work of mode one with a plain table and nothing else: no fan-out, no lease, no history, no limits.
func bare(ctx context.Context, s settings, out io.Writer) (report, error) {
	db, err := sqldb.Open(ctx, s.database)
	if err != nil {
		return report{}, err
	}
	defer func() { _ = db.Close() }()
	create := "CREATE TABLE loadtest_bare (id INTEGER PRIMARY KEY, data TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0)"
	if db.IsPostgres() {
		create = "CREATE TABLE loadtest_bare (id bigserial PRIMARY KEY, data text NOT NULL, state int NOT NULL DEFAULT 0)"
	}
	for _, query := range []string{"DROP TABLE IF EXISTS loadtest_bare", create, "CREATE INDEX loadtest_bare_waiting ON loadtest_bare (id) WHERE state = 0"} {
		if _, err := db.IDB(ctx).ExecContext(ctx, query); err != nil {
			return report{}, err
		}
	}
	receiver := newSink()
	defer receiver.close()

	working, stop := context.WithCancel(ctx)
	worked := make(chan error, 1)
	go func() { worked <- bareSend(working, db, receiver.server.URL+"/0") }()
	fmt.Fprintf(out, "bare: %d events\n", s.n)
	start := time.Now()
	committed, err := publishAll(ctx, s.n, func(ctx context.Context, id string) error {
		raw, err := json.Marshal(body{payload{id}})
		if err != nil {
			return err
		}
		return db.Do(ctx, func(ctx context.Context) error {
			_, err := db.IDB(ctx).ExecContext(ctx, "INSERT INTO loadtest_bare (data) VALUES (?)", string(raw))
			return err
		})
	})
	if err == nil {
		err = receiver.wait(ctx, s.n)
	}
	stop()
	if werr := <-worked; err == nil {
		err = werr
	}
	return receiver.tally(committed, []string{"/0"}, start), err
}

func bareSend(ctx context.Context, db *sqldb.DB, url string) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	for {
		var rows []bareRow
		err := db.IDB(ctx).NewRaw(`UPDATE loadtest_bare SET state = 1 WHERE id IN
			(SELECT id FROM loadtest_bare WHERE state = 0 ORDER BY id LIMIT ?) RETURNING id, data`, bareBatch).Scan(ctx, &rows)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		var wg sync.WaitGroup
		for part := range senders {
			wg.Go(func() {
				for i := part; i < len(rows); i += senders {
					barePost(ctx, client, url, rows[i])
				}
			})
		}
		wg.Wait()
		if len(rows) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Millisecond):
			}
			continue
		}
		done := make([]byte, 0, 8*len(rows))
		for i, r := range rows {
			if i > 0 {
				done = append(done, ',')
			}
			done = strconv.AppendInt(done, r.ID, 10)
		}
		if _, err := db.IDB(ctx).ExecContext(ctx, "UPDATE loadtest_bare SET state = 2 WHERE id IN ("+string(done)+")"); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func barePost(ctx context.Context, client *http.Client, url string, row bareRow) {
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write([]byte(row.Data))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(row.Data)))
	if err != nil {
		return
	}
	req.Header.Set("X-Webhook-Signature", hex.EncodeToString(mac.Sum(nil)))
	res, err := client.Do(req)
	if err != nil {
		return // counted as lost
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}
