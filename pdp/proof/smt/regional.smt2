; Section 4 of policies/DOMAIN.md: stage 2 of the model regional.
(define-fun regional-knows () Bool
  (or (= action user.list) (= action user.view_locations) (= action assignment.add) (= action assignment.edit)
      (= action default_location.change) (= action assignment.remove) (= action user.view) (= action user.edit)
      (= action user.reset_password) (= action user.deactivate) (= action user.reactivate)
      (= action location.switch) (= action patient.view) (= action incident.view) (= action summary.view)))

; 4.1 The division tier. Such a role held at a facility makes that facility "their division".
(declare-const their-divisions Locations)
(assert (= their-divisions (bvor (holding division_admin) (holding public_health_admin) (holding ed_admin))))

; 4.2 The columns.
(declare-const is-regional-administrator Bool)
(assert (= is-regional-administrator (holds regional_admin (root-of here))))
(declare-const in-region Bool)
(assert (= in-region (and is-regional-administrator (= (kind-of here) region))))
(declare-const in-region-in-division Bool)
(assert (= in-region-in-division
  (and is-regional-administrator (or (= (kind-of here) division) (= (kind-of here) facility)))))
(declare-const in-division Bool)
(assert (= in-division (meets their-divisions (path here))))
(define-fun in-a-column () Bool (or in-region in-region-in-division in-division))

(define-fun is-here () Bool (= there here))
(define-fun is-covered () Bool (covers here there))
(declare-const is-covered-user Bool)
(assert (= is-covered-user (meets (assigned asked) (covered-by here))))

; Stage 2.3: "no" throughout the column, or no column. REG-1's "no" too.
(define-fun regional-role () Outcome
  (ite (= action user.list)
    (ite (= (kind-of there) region) (ite in-region passes |not_permitted REG-1|)            ; REG-1
                                    (ite in-a-column passes |not_permitted REG-2|))         ; REG-2
  (ite (= action user.view_locations) (ite in-a-column passes |not_permitted REG-3|)        ; REG-3
  (ite (= action assignment.add) (ite in-region passes |not_permitted REG-5|)               ; REG-5
  (ite (= action assignment.edit)
    (ite in-a-column passes (ite is-here |not_permitted REG-6| |not_permitted REG-7|))      ; REG-6, REG-7
  (ite (= action default_location.change) (ite in-a-column passes |not_permitted REG-8|)    ; REG-8
  (ite (= action assignment.remove)
    (ite (or in-region in-region-in-division) passes
      (ite is-here |not_permitted REG-9| |not_permitted REG-10|))                           ; REG-9, REG-10
    (ite in-a-column passes |not_permitted REG-11|))))))))                                  ; REG-11

; Stage 2.4: "no" elsewhere, where the same column says yes here or covered.
(define-fun regional-place () Outcome
  (ite in-region passes
  (ite (= action user.list) (ite is-covered passes |other_location REG-2|)                  ; REG-2
  (ite (= action assignment.edit) (ite is-here passes |other_location REG-7|)               ; REG-7
  (ite (= action default_location.change) (ite is-here passes |other_location REG-8|)       ; REG-8
  (ite (= action assignment.remove) (ite is-here passes |other_location REG-10|)            ; REG-10
    passes))))))

; Stage 2.4: a user who is not covered, where the cell asks for covered users. For REG-3 and REG-11 the place is not judged.
(define-fun regional-user () Outcome
  (ite (or in-region is-covered-user) passes
  (ite (= action user.view_locations) (ite in-region-in-division passes |not_assigned_here REG-4|) ; REG-4
  (ite (or (= action user.view) (= action user.edit) (= action user.reset_password)
           (= action user.deactivate) (= action user.reactivate)) |not_assigned_here REG-11|       ; REG-11
    passes))))

; Stage 2.5: a new_location where only the role may be edited. One that is the place counts as absent where the user has that
; assignment.
(define-fun edits-location () Bool
  (and (is-text |set new_location|) (not (and (= |set new_location| there) (meets (assigned asked) (just there))))))
(define-fun regional-extent () Outcome
  (ite (and (= action assignment.edit) edits-location (not in-region) (not in-region-in-division))
    |location_edit_not_permitted REG-6| passes))                                            ; REG-6

; 4.5 Using the system.
(define-fun sees-patients () Locations
  (bvor (holding regional_admin) (holding division_admin) (holding ed_admin) (holding ed_normal)))
(define-fun regional-use () Outcome
  (ite (= action location.switch) (ite (holds-or-reaches there) passes |not_assigned REG-20|)                  ; REG-20
  (ite (= action patient.view) (ite (meets (covered-by-any sees-patients) patient-locations) passes
                                 |no_patient_access REG-21|)                                                   ; REG-21
    (ite (meets held (bvor (path there) (covered-by there))) passes |not_assigned REG-22|))))        ; REG-22

(declare-const regional-stage-2 Outcome)
(assert (= regional-stage-2
  (ite needs-no-current-location regional-use
    (then all-9 (then regional-role (then regional-place (then regional-user regional-extent)))))))
