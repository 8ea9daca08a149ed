package activity

// SignInClass says what an Entra error number tells of a sign-in attempt.
type SignInClass uint8

// The classes.
const (
	SignInOther         SignInClass = iota // a number the table does not know
	SignInSucceeded                        // 0
	SignInWrongPassword                    // wrong password, unknown user, locked out
	SignInPasswordRight                    // the password was right; something later stopped the attempt
	SignInHalfWay                          // a page on the way, no verdict: never an attack, never a success
	SignInAccountOff                       // account or its access switched off; whether the password was right stays open
	SignInConsent                          // consent asked for, refused or held back
)

// SignInVerdict is what an error number means.
type SignInVerdict struct {
	Result Result
	Class  SignInClass
}

// signInErrors is the table "What an error number says" of the detection
// notes. Numbers whose page merely asks for one more step (MFA, enrolment, a
// new password) are interruptions: the final record of the attempt follows.
var signInErrors = map[int]SignInVerdict{
	0: {ResultSuccess, SignInSucceeded},

	50034: {ResultFailure, SignInWrongPassword}, // no such user
	50053: {ResultFailure, SignInWrongPassword}, // locked out, or the address is blocked
	50056: {ResultFailure, SignInWrongPassword}, // no password set
	50064: {ResultFailure, SignInWrongPassword}, // validation failed
	50126: {ResultFailure, SignInWrongPassword},
	51004: {ResultFailure, SignInWrongPassword}, // account not in the directory

	50055:  {ResultInterrupted, SignInPasswordRight}, // expired
	50072:  {ResultInterrupted, SignInPasswordRight}, // must enrol MFA
	50074:  {ResultInterrupted, SignInPasswordRight}, // MFA asked
	50076:  {ResultInterrupted, SignInPasswordRight}, // MFA asked
	50079:  {ResultInterrupted, SignInPasswordRight}, // must enrol MFA
	50144:  {ResultInterrupted, SignInPasswordRight}, // expired, on-premises
	50158:  {ResultInterrupted, SignInPasswordRight}, // external challenge
	53000:  {ResultFailure, SignInPasswordRight},     // device not compliant
	53001:  {ResultFailure, SignInPasswordRight},     // device not joined
	53002:  {ResultFailure, SignInPasswordRight},     // application not approved
	53003:  {ResultFailure, SignInPasswordRight},     // blocked by policy
	53004:  {ResultFailure, SignInPasswordRight},     // risk: enrolment refused
	500121: {ResultFailure, SignInPasswordRight},     // MFA failed or denied
	530032: {ResultFailure, SignInPasswordRight},     // blocked by tenant policy

	16000: {ResultInterrupted, SignInHalfWay}, // account picker
	50058: {ResultInterrupted, SignInHalfWay}, // no session to continue silently
	50097: {ResultInterrupted, SignInHalfWay}, // device authentication
	50125: {ResultInterrupted, SignInHalfWay}, // password reset page
	50132: {ResultInterrupted, SignInHalfWay}, // session revoked
	50133: {ResultInterrupted, SignInHalfWay}, // session expired after a password change
	50140: {ResultInterrupted, SignInHalfWay}, // "keep me signed in" page
	50199: {ResultInterrupted, SignInHalfWay}, // application confirmation
	70016: {ResultInterrupted, SignInHalfWay}, // device code pending
	70043: {ResultInterrupted, SignInHalfWay}, // token too old for the policy
	70044: {ResultInterrupted, SignInHalfWay}, // session too old for the policy
	81010: {ResultInterrupted, SignInHalfWay}, // seamless sign-on did not work

	50057: {ResultFailure, SignInAccountOff}, // disabled
	50105: {ResultFailure, SignInAccountOff}, // not assigned to the application

	65001:  {ResultInterrupted, SignInConsent}, // asked
	65004:  {ResultFailure, SignInConsent},     // refused by the user
	90094:  {ResultFailure, SignInConsent},     // needs an administrator
	900941: {ResultFailure, SignInConsent},     // held back: risky application
}

// SignInError says what an error number of the Entra sign-in service means. A
// number the table does not know is a failure of class SignInOther.
func SignInError(number int) SignInVerdict {
	if v, ok := signInErrors[number]; ok {
		return v
	}
	return SignInVerdict{ResultFailure, SignInOther}
}
