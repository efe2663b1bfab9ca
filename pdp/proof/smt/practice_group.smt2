; Section 6 of policies/DOMAIN.md: stage 2 of the model practice_group.
(define-fun practice-group-knows () Bool
  (or (= action user.list) (= action user.view) (= action user.edit) (= action user.invite) (= action user.deactivate)
      (= action user.reactivate) (= action user.delete) (= action assignment.add) (= action assignment.edit)
      (= action assignment.remove) (= action access.change) (= action invitation.accept) (= action invitation.reject)
      (= action location.switch) (= action area.access)))

; 6.1 The table of levels. No access recorded, or no level in it, is limited.
(define-fun is-area ((a Text)) Bool
  (or (= a patient_records) (= a calendars) (= a invoices) (= a locations) (= a credit_settings) (= a reminder_settings) (= a users)))
(define-fun level-has ((level Text) (a Text)) Bool
  (ite (= level full) (and (is-area a) (not (= a users)))
  (ite (= level standard) (or (= a patient_records) (= a calendars) (= a invoices))
    (= a calendars))))
; A switch wins. An owner has every area, whatever the record says.
(declare-const subject-is-owner Bool)
(assert (= subject-is-owner (holds owner (root-of here))))
(define-fun has-area ((a Text)) Bool
  (ite subject-is-owner (is-area a)
  (ite (= (switch-of subject a) |(true)|) true
  (ite (= (switch-of subject a) |(false)|) false
    (level-has (level-of subject) a)))))

; PRA-1
(define-fun pra-1 () Outcome (ite (has-area users) passes |area_required PRA-1|))

; PRA-12 The areas of a change replace the recorded ones and are compared with them as a whole. An area that the table does not know
; is ignored in the comparison. Null counts as missing (2), and areas that are not {AREA: bool} are of the wrong type.
(define-fun is-bool ((v Text)) Bool (or (= v |(true)|) (= v |(false)|)))
(define-fun may-be-bool ((v Text)) Bool (or (= v |(absent)|) (= v |(null)|) (is-bool v)))
(define-fun is-recorded ((a Text) (v Text)) Bool (= (switch-of asked a) (ite (= v |(null)|) |(absent)| v)))
(define-fun has-areas () Bool
  (and (= |set areas| |(object)|)
       (may-be-bool |set areas.patient_records|) (may-be-bool |set areas.calendars|) (may-be-bool |set areas.invoices|)
       (may-be-bool |set areas.locations|) (may-be-bool |set areas.credit_settings|) (may-be-bool |set areas.reminder_settings|)
       (may-be-bool |set areas.users|) (may-be-bool |set areas.(other)|)))
(define-fun areas-recorded () Bool
  (and (is-recorded patient_records |set areas.patient_records|) (is-recorded calendars |set areas.calendars|)
       (is-recorded invoices |set areas.invoices|) (is-recorded locations |set areas.locations|)
       (is-recorded credit_settings |set areas.credit_settings|) (is-recorded reminder_settings |set areas.reminder_settings|)
       (is-recorded users |set areas.users|)))

; PRA-2 Only an owner acts on an owner (but for user.list and user.view), makes somebody an owner by any action, or names the area
; users in areas. Areas that are recorded already count as absent (PRA-12).
(define-fun acts-on-owner () Bool
  (and (= |kind| user) (not (= action user.view)) (not is-new) (meets (with-role asked owner) (just (root-of here)))))
(define-fun makes-owner () Bool
  (ite (= action assignment.edit) (= |set new_role| owner)
    (and (or (= action user.invite) (= action assignment.add)) (= |set role| owner))))
(define-fun names-users () Bool
  (and (or (= action user.invite) (= action access.change))
       has-areas (is-bool |set areas.users|)
       (not (and (= action access.change) areas-recorded))))
(define-fun pra-2 () Outcome
  (ite (and (not subject-is-owner) (or acts-on-owner makes-owner names-users)) |owner_required PRA-2| passes))

; PRA-6 By that person alone, while invited. A place that is no group is not_invited.
(define-fun pra-6 () Outcome
  (ite (and (= asked subject) (= (kind-of there) group) (meets (with-status subject invited) (just there))) passes |not_invited PRA-6|))

; PRA-10 The subject is assigned to the practice, or reaches it, and has the area. A missing area is stage 3.
(define-fun pra-10 () Outcome
  (ite (not (and (= (kind-of there) practice) (holds-or-reaches there))) |not_assigned PRA-10|
  (ite (and (is-text |set area|) (not (has-area |set area|))) |area_required PRA-10| passes)))

(declare-const practice-group-stage-2 Outcome)
(assert (= practice-group-stage-2
  (ite (= action user.delete) |delete_not_allowed PRA-7|                                          ; PRA-7
  (ite (= action location.switch) (ite (holds-or-reaches there) passes |not_assigned PRA-9|)      ; PRA-9
  (ite (or (= action invitation.accept) (= action invitation.reject)) pra-6
  (ite (= action area.access) pra-10
    (then all-9 (then pra-1 pra-2))))))))
