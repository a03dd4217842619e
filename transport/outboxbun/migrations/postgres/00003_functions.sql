-- +goose Up
-- A function's statements are planned once per connection and sent in one round trip. As text they are planned each time,
-- which costs PostgreSQL more than to execute them. Each has one index that serves it, because a plan that was made while
-- the table was empty must not be ruinous when it is not.

-- transport_claim leases the free lanes of the first unsent events from a position on, reads these, and gives lanes back
-- that none of them is in. Its settings have the first unsent rows read off the index in its order: while statistics lag behind a growing
-- backlog the planner would rather collect all of it and sort, for every batch anew. With p_relaxed the transaction does
-- not wait for the disk. p_shift moves the clock, for tests.
-- +goose StatementBegin
CREATE FUNCTION transport_claim(p_from bigint, p_limit integer, p_token text, p_lease interval, p_shift interval, p_relaxed boolean)
RETURNS SETOF transport_outbox LANGUAGE plpgsql SET enable_sort = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
	now timestamptz := clock_timestamp() + p_shift;
	leased smallint[];
	used smallint[] := '{}';
	event transport_outbox;
BEGIN
	IF p_relaxed THEN
		PERFORM set_config('synchronous_commit', 'off', true);
	END IF;
	WITH waiting AS (
		SELECT o.lane FROM transport_outbox AS o
		WHERE o.sent_at IS NULL AND o.position >= p_from AND o.lane NOT IN (SELECT l.lane FROM transport_lanes AS l WHERE l.leased_until > now)
		ORDER BY o.position LIMIT p_limit
	), free AS (
		SELECT l.lane FROM transport_lanes AS l
		WHERE l.lane IN (SELECT w.lane FROM waiting AS w) AND (l.leased_until IS NULL OR l.leased_until <= now)
		ORDER BY l.lane FOR UPDATE SKIP LOCKED
	), taken AS (
		UPDATE transport_lanes AS l SET token = p_token, leased_until = now + p_lease WHERE l.lane IN (SELECT f.lane FROM free AS f) RETURNING l.lane
	)
	SELECT array_agg(t.lane) INTO leased FROM taken AS t;
	IF leased IS NULL THEN
		RETURN;
	END IF;
	-- A statement of its own, because it must see what the last holders of the lanes have marked.
	FOR event IN
		SELECT o.* FROM transport_outbox AS o WHERE o.sent_at IS NULL AND o.position >= p_from AND o.lane = ANY (leased) ORDER BY o.position LIMIT p_limit
	LOOP
		IF event.lane <> ALL (used) THEN
			used := used || event.lane;
		END IF;
		RETURN NEXT event;
	END LOOP;
	IF cardinality(used) < cardinality(leased) THEN
		UPDATE transport_lanes AS l SET token = NULL, leased_until = NULL WHERE l.token = p_token AND l.lane <> ALL (used);
	END IF;
END $$;
-- +goose StatementEnd

-- transport_settle marks events as sent, gives lanes back and extends the lease of the others.
-- +goose StatementBegin
CREATE FUNCTION transport_settle(p_token text, p_sent bigint[], p_done integer[], p_lease interval, p_shift interval, p_relaxed boolean)
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
	now timestamptz := clock_timestamp() + p_shift;
BEGIN
	IF p_relaxed THEN
		PERFORM set_config('synchronous_commit', 'off', true);
	END IF;
	UPDATE transport_outbox SET sent_at = now WHERE sent_at IS NULL AND position = ANY (p_sent);
	UPDATE transport_lanes SET
		token = CASE WHEN lane = ANY (p_done) THEN NULL ELSE token END,
		leased_until = CASE WHEN lane = ANY (p_done) THEN NULL ELSE now + p_lease END
	WHERE token = p_token;
END $$;
-- +goose StatementEnd
-- +goose Down
DROP FUNCTION transport_settle;
DROP FUNCTION transport_claim;
