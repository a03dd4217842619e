-- +goose Up
-- A row is written twice, when it is enqueued and when it is finished, and the second time must find room in its page for
-- the indexes to be left alone. Keys are compared byte by byte whatever the database's language: this spares every index
-- the rules of a natural language, and the order of lanes is then the same everywhere.
ALTER TABLE deliveries SET (fillfactor = 45);
ALTER TABLE deliveries
	ALTER COLUMN id TYPE text COLLATE "C", ALTER COLUMN tenant TYPE text COLLATE "C", ALTER COLUMN kind TYPE text COLLATE "C",
	ALTER COLUMN dedupe_key TYPE text COLLATE "C", ALTER COLUMN event_id TYPE text COLLATE "C";
ALTER TABLE delivery_queue
	ALTER COLUMN id TYPE text COLLATE "C", ALTER COLUMN lane TYPE text COLLATE "C", ALTER COLUMN order_key TYPE text COLLATE "C";
ALTER TABLE delivery_dead
	ALTER COLUMN id TYPE text COLLATE "C", ALTER COLUMN lane TYPE text COLLATE "C", ALTER COLUMN tenant TYPE text COLLATE "C";
ALTER TABLE delivery_attempts ALTER COLUMN delivery_id TYPE text COLLATE "C";
ALTER TABLE delivery_destinations
	ALTER COLUMN lane TYPE text COLLATE "C", ALTER COLUMN tenant TYPE text COLLATE "C", ALTER COLUMN destination TYPE text COLLATE "C";

-- A function goes to PostgreSQL and back in one round trip, with its settings. These have it walk the indexes: a queue's
-- table is nothing like its statistics, and left to itself PostgreSQL would sort or hash all that is due to find the first
-- hundred. Each statement has one index that serves it and no join whose order matters, because a plan is kept: one that
-- was made while the queue seemed empty must not be ruinous when it is not.

-- delivery_due names lanes that have something to claim. It jumps through the index from one lane to the next, so its
-- cost depends on how many lanes wait and not on how many deliveries do. EXISTS instead of LIMIT 1 would invite a hash.
-- +goose StatementBegin
CREATE FUNCTION delivery_due(p_after text, p_kinds text[], p_at timestamptz, p_most integer) RETURNS TABLE (waiting text, noted boolean)
LANGUAGE plpgsql SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
BEGIN
	RETURN QUERY
	WITH RECURSIVE w (lane) AS (
		SELECT min(q.lane) FROM delivery_queue AS q WHERE q.lane > p_after
		UNION ALL
		SELECT (SELECT min(q.lane) FROM delivery_queue AS q WHERE q.lane > w.lane) FROM w WHERE w.lane IS NOT NULL
	)
	SELECT w.lane, s.lane IS NOT NULL FROM w LEFT JOIN delivery_destinations AS s ON s.lane = w.lane
	WHERE w.lane IS NOT NULL AND s.disabled_at IS NULL AND (s.held_until IS NULL OR s.held_until <= p_at) AND (
		SELECT q.id FROM delivery_queue AS q WHERE q.lane = w.lane AND q.next_attempt_at <= p_at AND q.kind = ANY (p_kinds)
			AND (q.leased_until IS NULL OR q.leased_until <= p_at)
		ORDER BY q.next_attempt_at LIMIT 1
	) IS NOT NULL LIMIT p_most;
END $$;
-- +goose StatementEnd

-- delivery_due_among does the same for some lanes, from a time on for each: see floors.go.
-- +goose StatementBegin
CREATE FUNCTION delivery_due_among(p_lanes text[], p_from timestamptz[], p_kinds text[], p_at timestamptz, p_most integer)
RETURNS TABLE (waiting text, noted boolean)
LANGUAGE plpgsql SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
BEGIN
	RETURN QUERY
	SELECT w.lane, s.lane IS NOT NULL FROM unnest(p_lanes, p_from) AS w (lane, since) LEFT JOIN delivery_destinations AS s ON s.lane = w.lane
	WHERE s.disabled_at IS NULL AND (s.held_until IS NULL OR s.held_until <= p_at) AND (
		SELECT q.id FROM delivery_queue AS q WHERE q.lane = w.lane AND q.next_attempt_at >= w.since AND q.next_attempt_at <= p_at
			AND q.kind = ANY (p_kinds) AND (q.leased_until IS NULL OR q.leased_until <= p_at)
		ORDER BY q.next_attempt_at LIMIT 1
	) IS NOT NULL LIMIT p_most;
END $$;
-- +goose StatementEnd

-- delivery_first returns when the first place of each lane is due, from a time on.
-- +goose StatementBegin
CREATE FUNCTION delivery_first(p_lanes text[], p_from timestamptz[]) RETURNS TABLE (lane text, first timestamptz)
LANGUAGE plpgsql SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT w.lane, q.next_attempt_at FROM unnest(p_lanes, p_from) AS w (lane, since) CROSS JOIN LATERAL (
		SELECT q.next_attempt_at FROM delivery_queue AS q WHERE q.lane = w.lane AND q.next_attempt_at >= w.since ORDER BY q.next_attempt_at LIMIT 1
	) AS q;
END $$;
-- +goose StatementEnd

-- delivery_claim leases the first deliveries of each lane that are due; a row that another claim is just taking is passed
-- over. Of an ordered kind it takes only what no earlier one of the same order key holds up, among the first p_window of
-- the lane. A claim that a power cut forgets is a lease that nobody holds, which costs what any crash costs, so the
-- transaction does not wait for the disk.
-- +goose StatementBegin
CREATE FUNCTION delivery_claim(p_lanes text[], p_most integer[], p_from timestamptz[], p_kinds text[], p_ordered text[], p_window integer,
	p_at timestamptz, p_until timestamptz, p_token text)
RETURNS TABLE (id text, tenant text, kind text, destination text, dedupe_key text, subject text, event_id text, order_key text, payload text,
	state text, attempts integer, max_attempts integer, last_error text, created_at timestamptz, finished_at timestamptz, resend_of text,
	resent_by text, trace text, tries integer, next_attempt_at timestamptz, lease_token text, leased_until timestamptz)
LANGUAGE plpgsql SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	picked tid[];
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	IF p_ordered = '{}' THEN
		SELECT array_agg(p.ctid) INTO picked FROM unnest(p_lanes, p_most, p_from) AS room (lane, most, since) CROSS JOIN LATERAL (
			SELECT q.ctid FROM delivery_queue AS q WHERE q.lane = room.lane AND q.next_attempt_at >= room.since AND q.next_attempt_at <= p_at AND q.kind = ANY (p_kinds)
				AND (q.leased_until IS NULL OR q.leased_until <= p_at)
			ORDER BY q.next_attempt_at, q.seq LIMIT room.most FOR UPDATE SKIP LOCKED
		) AS p;
	ELSE
		SELECT array_agg(p.ctid) INTO picked FROM unnest(p_lanes, p_most, p_from) AS room (lane, most, since) CROSS JOIN LATERAL (
			SELECT w.ctid FROM (
				SELECT q.ctid, q.seq, q.lane, q.kind, q.order_key, q.next_attempt_at FROM delivery_queue AS q
				WHERE q.lane = room.lane AND q.next_attempt_at >= room.since AND q.next_attempt_at <= p_at AND q.kind = ANY (p_kinds)
					AND (q.leased_until IS NULL OR q.leased_until <= p_at)
				ORDER BY q.next_attempt_at, q.seq LIMIT p_window
			) AS w WHERE w.order_key = '' OR w.kind <> ALL (p_ordered) OR w.seq = (
				SELECT e.seq FROM delivery_queue AS e
				WHERE e.lane = w.lane AND e.order_key = w.order_key AND e.order_key <> '' AND e.kind = w.kind ORDER BY e.seq LIMIT 1
			) LIMIT room.most
		) AS p;
		-- They are not locked yet, and another claim may just be taking them.
		SELECT array_agg(p.ctid) INTO picked FROM (
			SELECT q.ctid FROM delivery_queue AS q WHERE q.ctid = ANY (picked) AND (q.leased_until IS NULL OR q.leased_until <= p_at)
			FOR UPDATE SKIP LOCKED
		) AS p;
	END IF;
	RETURN QUERY
	WITH place AS (
		UPDATE delivery_queue AS q SET attempts = q.attempts + 1, lease_token = p_token, leased_until = p_until
		WHERE q.ctid = ANY (picked) RETURNING q.id, q.seq, q.attempts, q.next_attempt_at
	)
	SELECT d.id, d.tenant, d.kind, d.destination, d.dedupe_key, d.subject, d.event_id, d.order_key, d.payload, d.state, d.attempts,
		d.max_attempts, d.last_error, d.created_at, d.finished_at, d.resend_of, d.resent_by, d.trace, p.attempts, p.next_attempt_at, p_token, p_until
	FROM place AS p JOIN deliveries AS d ON d.id = p.id ORDER BY p.next_attempt_at, p.seq;
END $$;
-- +goose StatementEnd

-- delivery_insert adds deliveries, and those that are pending to the queue as well, without those whose key is there. It
-- hopes that none is, since asking first costs a third more.
-- +goose StatementBegin
CREATE FUNCTION delivery_insert(p_id text[], p_tenant text[], p_kind text[], p_destination text[], p_key text[], p_subject text[],
	p_event text[], p_order text[], p_payload text[], p_state text[], p_attempts integer[], p_most integer[], p_error text[],
	p_created timestamptz[], p_finished timestamptz[], p_resend_of text[], p_resent_by text[], p_trace text[],
	p_lane text[], p_next timestamptz[], p_token text[], p_until timestamptz[])
RETURNS void LANGUAGE plpgsql SET jit = off AS $$
DECLARE
	fresh text[] := p_id;
BEGIN
	BEGIN
		INSERT INTO deliveries (id, tenant, kind, destination, dedupe_key, subject, event_id, order_key, payload, state, attempts, max_attempts,
			last_error, created_at, finished_at, resend_of, resent_by, trace)
		SELECT * FROM unnest(p_id, p_tenant, p_kind, p_destination, p_key, p_subject, p_event, p_order, p_payload, p_state, p_attempts, p_most,
			p_error, p_created, p_finished, p_resend_of, p_resent_by, p_trace);
	EXCEPTION WHEN unique_violation THEN
		WITH d AS (
			INSERT INTO deliveries (id, tenant, kind, destination, dedupe_key, subject, event_id, order_key, payload, state, attempts, max_attempts,
				last_error, created_at, finished_at, resend_of, resent_by, trace)
			SELECT * FROM unnest(p_id, p_tenant, p_kind, p_destination, p_key, p_subject, p_event, p_order, p_payload, p_state, p_attempts, p_most,
				p_error, p_created, p_finished, p_resend_of, p_resent_by, p_trace)
			ON CONFLICT (tenant, kind, dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING RETURNING id
		)
		SELECT COALESCE(array_agg(d.id), '{}') INTO fresh FROM d;
	END;
	INSERT INTO delivery_queue (id, lane, kind, order_key, next_attempt_at, attempts, lease_token, leased_until)
	SELECT v.id, v.lane, v.kind, v.order_key, v.next_at, v.attempts, v.token, v.until
	FROM unnest(p_id, p_lane, p_kind, p_order, p_next, p_attempts, p_token, p_until, p_state)
		AS v (id, lane, kind, order_key, next_at, attempts, token, until, state)
	WHERE v.state = 'pending' AND (fresh = p_id OR v.id = ANY (fresh));
END $$;
-- +goose StatementEnd

-- delivery_finish ends deliveries whose lease still has its token, and returns their ids.
-- +goose StatementBegin
CREATE FUNCTION delivery_finish(p_id text[], p_token text[], p_state text[], p_attempts integer[], p_finished timestamptz[], p_error text[],
	p_started timestamptz[], p_us bigint[], p_status integer[], p_response text[])
RETURNS SETOF text LANGUAGE plpgsql SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
DECLARE
	held text[];
BEGIN
	WITH gone AS (
		DELETE FROM delivery_queue AS q USING unnest(p_id, p_token) AS o (id, token)
		WHERE q.id = o.id AND q.lease_token = o.token RETURNING q.id
	)
	SELECT array_agg(gone.id) INTO held FROM gone;
	UPDATE deliveries AS d SET state = o.state, attempts = o.attempts, finished_at = o.finished, last_error = o.error,
		attempt_started_at = o.started, attempt_us = o.us, attempt_status = o.status, attempt_response = o.response
	FROM unnest(p_id, p_state, p_attempts, p_finished, p_error, p_started, p_us, p_status, p_response)
		AS o (id, state, attempts, finished, error, started, us, status, response)
	WHERE d.id = o.id AND o.id = ANY (held);
	RETURN QUERY SELECT unnest(held);
END $$;
-- +goose StatementEnd
-- +goose Down
DROP FUNCTION delivery_finish;
DROP FUNCTION delivery_insert;
DROP FUNCTION delivery_claim;
DROP FUNCTION delivery_first;
DROP FUNCTION delivery_due_among;
DROP FUNCTION delivery_due;
ALTER TABLE delivery_destinations
	ALTER COLUMN lane TYPE text COLLATE "default", ALTER COLUMN tenant TYPE text COLLATE "default", ALTER COLUMN destination TYPE text COLLATE "default";
ALTER TABLE delivery_attempts ALTER COLUMN delivery_id TYPE text COLLATE "default";
ALTER TABLE delivery_dead
	ALTER COLUMN id TYPE text COLLATE "default", ALTER COLUMN lane TYPE text COLLATE "default", ALTER COLUMN tenant TYPE text COLLATE "default";
ALTER TABLE delivery_queue
	ALTER COLUMN id TYPE text COLLATE "default", ALTER COLUMN lane TYPE text COLLATE "default", ALTER COLUMN order_key TYPE text COLLATE "default";
ALTER TABLE deliveries
	ALTER COLUMN id TYPE text COLLATE "default", ALTER COLUMN tenant TYPE text COLLATE "default", ALTER COLUMN kind TYPE text COLLATE "default",
	ALTER COLUMN dedupe_key TYPE text COLLATE "default", ALTER COLUMN event_id TYPE text COLLATE "default";
ALTER TABLE deliveries SET (fillfactor = 80);
