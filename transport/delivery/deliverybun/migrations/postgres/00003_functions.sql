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

-- delivery_claim leases the first deliveries of each lane that are due; a row that another claim is just taking is passed
-- over. Of an ordered kind it takes only what no earlier one of the same order key holds up, among the first p_window of
-- the lane. A claim that a power cut forgets is a lease that nobody holds, which costs what any crash costs, so the
-- transaction does not wait for the disk.
-- +goose StatementBegin
CREATE FUNCTION delivery_claim(p_lanes text[], p_most integer[], p_kinds text[], p_ordered text[], p_window integer,
	p_at timestamptz, p_until timestamptz, p_token text) RETURNS TABLE (delivery deliveries, place delivery_queue)
LANGUAGE plpgsql SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
DECLARE
	picked tid[];
	spot tid;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	IF p_ordered = '{}' THEN
		SELECT array_agg(p.ctid) INTO picked FROM unnest(p_lanes, p_most) AS room (lane, most) CROSS JOIN LATERAL (
			SELECT q.ctid FROM delivery_queue AS q WHERE q.lane = room.lane AND q.next_attempt_at <= p_at AND q.kind = ANY (p_kinds)
				AND (q.leased_until IS NULL OR q.leased_until <= p_at)
			ORDER BY q.next_attempt_at, q.seq LIMIT room.most FOR UPDATE SKIP LOCKED
		) AS p;
	ELSE
		SELECT array_agg(p.ctid) INTO picked FROM unnest(p_lanes, p_most) AS room (lane, most) CROSS JOIN LATERAL (
			SELECT w.ctid FROM (
				SELECT q.ctid, q.seq, q.lane, q.kind, q.order_key, q.next_attempt_at FROM delivery_queue AS q
				WHERE q.lane = room.lane AND q.next_attempt_at <= p_at AND q.kind = ANY (p_kinds)
					AND (q.leased_until IS NULL OR q.leased_until <= p_at)
				ORDER BY q.next_attempt_at, q.seq LIMIT p_window
			) AS w WHERE w.order_key = '' OR w.kind <> ALL (p_ordered) OR w.seq = (
				SELECT e.seq FROM delivery_queue AS e
				WHERE e.lane = w.lane AND e.order_key = w.order_key AND e.order_key <> '' AND e.kind = w.kind ORDER BY e.seq LIMIT 1
			) LIMIT room.most
		) AS p;
	END IF;
	FOREACH spot IN ARRAY COALESCE(picked, '{}') LOOP
		IF p_ordered <> '{}' THEN -- it is not locked yet, and another claim may just be taking it
			PERFORM 1 FROM delivery_queue AS q WHERE q.ctid = spot AND (q.leased_until IS NULL OR q.leased_until <= p_at) FOR UPDATE SKIP LOCKED;
			CONTINUE WHEN NOT FOUND;
		END IF;
		UPDATE delivery_queue AS q SET attempts = q.attempts + 1, lease_token = p_token, leased_until = p_until WHERE q.ctid = spot RETURNING q.* INTO place;
		SELECT d.* INTO delivery FROM deliveries AS d WHERE d.id = place.id;
		RETURN NEXT;
	END LOOP;
END $$;
-- +goose StatementEnd
-- +goose Down
DROP FUNCTION delivery_claim;
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
