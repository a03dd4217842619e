// Package notifyhttp serves notices over HTTP.
//
//	GET  /notices?recipient=&template=&subject_id=&state=&limit=&cursor=
//	POST /notices/{id}/resend
//	GET  /me/notification-settings
//	PUT  /me/notification-settings {"channels":["slack","mail"],"quiet_hours":{"start":"22:00","end":"07:00","time_zone":"Asia/Tokyo"},"digest":"daily"}
//
// The role admin sees the notices of the whole tenant and may send one again; others see those that they received.
// Settings belong to the caller, and are changed by nobody who acts for them.
package notifyhttp
