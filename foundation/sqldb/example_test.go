package sqldb_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/renkei-go/renkei/foundation/sqldb"
)

func ExampleDB_Do() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, things); err != nil {
		panic(err)
	}

	tooDear := errors.New("too dear")
	err = db.Do(ctx, func(ctx context.Context) error {
		if _, err := db.IDB(ctx).NewInsert().Model(&thing{ID: "lamp", Amount: 900}).Exec(ctx); err != nil {
			return err
		}
		return tooDear // takes the row back
	})
	n, _ := db.Reader(ctx).NewSelect().Model((*thing)(nil)).Count(ctx)
	fmt.Println(err, n)
	// Output: too dear 0
}
