; Sections 1 and 2 of policies/DOMAIN.md, and what the models' roles reach.
;
; The test declares before this file, for one small world and one action:
;   Text                   the sort of all texts and other values; those that are no texts are in parentheses, such as |(absent)|
;   Locations              the sort of sets of locations, with nowhere and (just l), which is empty for what is no location
;   Outcome                the sort of what a stage ends with: passes, or a reason's code and rule
;   action                 the name of the action
;   |who| |whom| |kind| |place| |current| |plan| |subject status| |set NAME| ...
;                          what is said of both people and in the question, as package world names it
;   (kind-of l) (model-of l) (root-of l)
;                          |(none)| for what is no location
;   (path l) (covered-by l)  l with all above it, and with all beneath it
;   (covered-by-any s)       what is covered by some location of s
;   (the-one s)              a location of s
;   (of-kind k)              the locations of a kind
;   (assigned p) (with-status p s) (with-role p r)
;                          where a person, subject or user, has an assignment; with that status, with that role
;   (level-of p) (switch-of p area)
;                          what access is recorded at the group
;   (listed-unknown) (listed-other) (listed)
;                          of the action's property locations: an unknown one, an element that is no text, and the known ones
;   (patient-unknown) (patient-other) (patient-at)
;                          the same of the patient's locations
;
; A constant that is declared and asserted to equal a term is a definition too: z3 copies a define-fun to wherever it is used.
;
; The texts that the tables use, and the members of questions, which are absent in a world that has none:
(set-info :texts "
  regional health_system practice_group vendor
  region division facility system entity group practice
  user location patient
  active invited deactivated known oneself paid free
  |somebody else| |somebody else, by username| |oneself, by username| subject
  user.list user.view user.view_locations user.edit user.reset_password user.invite user.deactivate user.reactivate user.delete
  assignment.add assignment.edit assignment.remove default_location.change access.change
  admin.grant admin.revoke entity.create entity.associate entity.dissociate
  location.switch patient.view incident.view summary.view area.access invitation.accept invitation.reject
  regional_admin division_admin public_health_admin public_health ed_admin ed_normal
  entity_admin system_admin vendor_staff
  owner practitioner administrator full standard limited
  patient_records calendars invoices locations credit_settings reminder_settings users
  |(absent)| |(null)| |(empty)| |(number)| |(true)| |(false)| |(list)| |(object)| |(unknown)| |(none)|")
(set-info :members "
  |plan| |set new| |set role| |set new_role| |set new_location| |set locations| |set area| |set areas| |patient locations|
  |set areas.patient_records| |set areas.calendars| |set areas.invoices| |set areas.locations| |set areas.credit_settings|
  |set areas.reminder_settings| |set areas.users| |set areas.(other)|")

(define-fun meets ((s Locations) (t Locations)) Bool (not (= (bvand s t) nowhere)))
(define-fun without ((s Locations) (t Locations)) Locations (bvand s (bvnot t)))
(define-fun known-location ((l Text)) Bool (not (= (kind-of l) |(none)|)))
(define-fun organization ((l Text)) Locations (covered-by (root-of l)))
(define-fun covers ((l Text) (m Text)) Bool (meets (covered-by l) (just m)))
(define-fun then ((a Outcome) (b Outcome)) Outcome (ite (= a passes) b a))
; A property that is there and a text; null and "" count as missing, and what is of the wrong type as absent.
(define-fun is-text ((v Text)) Bool
  (not (or (= v |(absent)|) (= v |(null)|) (= v |(empty)|) (= v |(number)|) (= v |(true)|) (= v |(false)|) (= v |(list)|) (= v |(object)|))))

; Section 1, Faults, as far as records of the sorts above can have one.
(define-fun default-of ((p Text)) Text (ite (= p subject) |subject default| |user default|))
(define-fun is-fault ((p Text)) Bool
  (or
    ; a user with an assignment in a regional organization who has no default_location
    (and (= (default-of p) |(none)|) (meets (assigned p) (bvor (of-kind region) (of-kind division) (of-kind facility))))
    ; a default_location that is none of the user's assignments
    (and (not (= (default-of p) |(none)|)) (not (meets (assigned p) (just (default-of p)))))
    ; an assignment at a practice without one at its group
    (meets (bvand (assigned p) (of-kind practice)) (bvnot (covered-by-any (bvand (assigned p) (of-kind group)))))))

; Only an active assignment gives anything (1). While the assignment at the group is not active, none beneath it counts (6.1).
(declare-const held Locations)
(assert (= held (bvand (with-status subject active)
    (bvor (bvnot (of-kind practice)) (covered-by-any (bvand (with-status subject active) (of-kind group)))))))
(define-fun holding ((r Text)) Locations (bvand held (with-role subject r)))
(define-fun holds ((r Text) (l Text)) Bool (meets (holding r) (just l)))

; The column "reaches down" of 4.1, 5.1 and 6.1.
(declare-const reached Locations)
(assert (= reached
  (covered-by-any (bvor
    (holding regional_admin) (holding division_admin) (holding public_health_admin)
    (bvand (holding entity_admin) (of-kind system)) (holding system_admin)
    (bvand (holding owner) (of-kind group))))))
(define-fun holds-or-reaches ((l Text)) Bool (meets (bvor held reached) (just l)))

; Section 2, Current location. The actions marked † need none and ignore a given one.
(define-fun needs-no-current-location () Bool
  (or (= action location.switch) (= action patient.view) (= action incident.view) (= action summary.view)
      (= action invitation.accept) (= action invitation.reject)))
(define-fun is-one ((s Locations)) Bool (and (not (= s nowhere)) (= s (just (the-one s)))))
(declare-const here Text)
(assert (= here
  (ite needs-no-current-location |(none)|
  (ite (not (= |current| |(absent)|)) |current|
  (ite (and (= |who| known) (is-one held)) (the-one held) |(none)|)))))

; Section 2, Place.
(declare-const there Text)
(assert (= there
  (ite (= |kind| location) |place|
  (ite (and (= |kind| user) (not (= |place| |(absent)|)) (not (= |place| |(null)|)) (not (= |place| |(empty)|))) |place| here))))

; Section 2, Resource: whom the question is about, and the type that follows from the action.
(declare-const asked Text)
(assert (= asked
  (ite (or (= |whom| |somebody else|) (= |whom| |somebody else, by username|)) user
  (ite (or (= |whom| oneself) (= |whom| |oneself, by username|)) subject |(none)|))))
(define-fun type-of-action () Text
  (ite (or (= action user.list) (= action location.switch) (= action incident.view) (= action summary.view) (= action area.access)
           (= action entity.create) (= action entity.associate) (= action entity.dissociate)) location
  (ite (= action patient.view) patient user)))

; Section 2, Model.
(declare-const model Text)
(assert (= model
  (ite (= action patient.view) regional (ite needs-no-current-location (model-of there) (model-of here)))))

; A list of texts. One with an element of another type is of the wrong type.
(define-fun has-locations () Bool (and (= |set locations| |(list)|) (not listed-other)))
(define-fun patient-locations () Locations (ite (and (= |patient locations| |(list)|) (not patient-other)) patient-at nowhere))

; Invitations of a new user: with new no other rule looks at an account that exists (SYS-2, PRA-3).
(define-fun is-new () Bool (and (= action user.invite) (= |set new| |(true)|)))

; ALL-9 Nobody invites themselves; adds, edits or removes their own assignments; grants or revokes for themselves; deactivates or
; reactivates themselves; or changes their own access.
(declare-const all-9 Outcome)
(assert (= all-9
  (ite (and (= asked subject) (not is-new)
            (or (= action user.invite) (= action assignment.add) (= action assignment.edit) (= action assignment.remove)
                (= action admin.grant) (= action admin.revoke) (= action user.deactivate) (= action user.reactivate)
                (= action access.change)))
    |self ALL-9| passes)))
