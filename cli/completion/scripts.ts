/** The scripts that make shells ask onehop for completions. */

/** Bash cuts words at colons and equals signs and replaces only what follows the last one. */
const BASH: string = `# bash completion for onehop: source <(onehop completion bash)
_onehop_complete() {
  local line=\${COMP_LINE:0:COMP_POINT} words=() current cut candidate
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=\${words[\${#words[@]}-1]}
  cut=\${current%"\${current##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r candidate; do
    candidate=\${candidate#"$cut"}
    COMPREPLY+=("$(printf %q "$candidate")")
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _onehop_complete onehop
`;

const ZSH: string = `#compdef onehop
# zsh completion for onehop: source <(onehop completion zsh), or this file as _onehop in a folder of $fpath
_onehop() {
  local -a candidates
  candidates=(\${(f)"$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -- $candidates
}
if [[ \${funcstack[1]} == _onehop ]]; then
  _onehop "$@"
else
  compdef _onehop onehop
fi
`;

const FISH: string = `# fish completion for onehop: onehop completion fish > ~/.config/fish/completions/onehop.fish
function __onehop_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c onehop -f -a '(__onehop_complete)'
`;

export const COMPLETION_SCRIPTS: Readonly<Record<"bash" | "zsh" | "fish", string>> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
};
