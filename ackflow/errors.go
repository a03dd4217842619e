package ackflow

import "github.com/renkei-go/renkei/foundation/fault"

// The refusals of this package. Match with errors.Is. The reasons are the codes of seed 002 and of the clients it has.
var (
	// ErrInput: the input breaks a rule; its fields say which.
	ErrInput = fault.New(fault.Invalid, "INVALID_INPUT", "the input is not valid")
	// ErrMissingQuery: a list of links needs to be told of what.
	ErrMissingQuery = fault.New(fault.Invalid, "MISSING_QUERY", "ackRequestId, messageId, or targetTable with targetId is required")
	// ErrInvalidQuery: the selection is not possible; its fields say why.
	ErrInvalidQuery = fault.New(fault.Invalid, "INVALID_QUERY", "the query is not valid")
	// ErrTargetTable: links to this table are not on the allowlist (Config.Targets).
	ErrTargetTable = fault.New(fault.Invalid, "INVALID_TARGET_TABLE", "nothing in this table can be linked")
	// ErrRequiredUsers: nobody is asked, or somebody who cannot answer. Details: reason (required_users_empty,
	// required_users_invalid, required_users_inactive, required_users_too_many), userIds.
	ErrRequiredUsers = fault.New(fault.Invalid, "INVALID_REQUIRED_USERS", "the people who are asked cannot all answer")
	// ErrEscalationUsers: somebody to escalate to is unknown or inactive. Details: userIds.
	ErrEscalationUsers = fault.New(fault.Invalid, "INVALID_ESCALATION_USERS", "somebody to escalate to is not in the directory, or not active")

	// ErrForbidden: the caller is known, but this is for others.
	ErrForbidden = fault.New(fault.Forbidden, "FORBIDDEN", "this is not for the caller to do")
	// ErrNotRequired: the caller is not among those who are asked.
	ErrNotRequired = fault.New(fault.Forbidden, "NOT_REQUIRED", "the caller is not asked to acknowledge this")

	// ErrNotFound: there is no such thing, or the caller may not see it.
	ErrNotFound = fault.New(fault.NotFound, "NOT_FOUND", "there is no such thing")
	// ErrTargetNotFound: the target of a link does not exist. A TargetResolver returns it.
	ErrTargetNotFound = fault.New(fault.NotFound, "TARGET_NOT_FOUND", "there is no such target")

	// ErrCanceled: the request was canceled.
	ErrCanceled = fault.New(fault.Conflict, "CANCELED", "the request was canceled")
	// ErrRequestCanceled: a canceled request takes no links.
	ErrRequestCanceled = fault.New(fault.Conflict, "ACK_REQUEST_CANCELED", "the request was canceled")
	// ErrDuplicateLink: the request is linked with the target already.
	ErrDuplicateLink = fault.New(fault.Conflict, "DUPLICATE_LINK", "the request is linked with this target already")
	// ErrDuplicateRequest: a message carries one request at most.
	ErrDuplicateRequest = fault.New(fault.Conflict, "DUPLICATE_REQUEST", "acknowledgement of this message is requested already")
	// ErrMessageDeleted: the message is gone, so it can be neither acknowledged nor changed.
	ErrMessageDeleted = fault.New(fault.Conflict, "MESSAGE_DELETED", "the message was deleted")
	// ErrStaleMessage: what the caller has read is not what the message says now. Details: revision.
	ErrStaleMessage = fault.New(fault.Conflict, "STALE_MESSAGE", "the message has been edited since")
	// ErrMessageElsewhere: messages are kept by Config.Messages and are changed there.
	ErrMessageElsewhere = fault.New(fault.Conflict, "MESSAGE_ELSEWHERE", "this message is changed where it was written")
)
