// Package calendartest proves that a calendar.Store works ([TestStore]), and gives tests a calendar with people, a gate
// and delegations in memory ([NewRig]).
package calendartest
